-- list_schemas: one page of the registered message types, by name, without their schemas.
-- KEYS: {omniq:schemas}:types
-- ARGV:
--   after: text; the last name of the page before, '' = from the start
--   limit: int; types of a page
-- DERIVED: {omniq:schemas}:type:NAME
-- RETURNS: [row]
--   row: lib/type_row.lua; without waivers and contents
-- EFFECT: reads only
-- STATE: (none)
-- INVARIANT: reads only; a type that stays is on exactly one page
-- @include type_key version_numbers type_row

local from = ARGV[1] == '' and '-' or '(' .. ARGV[1]
local rows = {}
for _, name in ipairs(redis.call('ZRANGE', KEYS[1], from, '+', 'BYLEX', 'LIMIT', 0, ARGV[2])) do
  rows[#rows + 1] = type_row(KEYS[1], name, false)
end
return rows
