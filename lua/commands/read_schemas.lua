-- read_schemas: all that is registered of message types, with their schemas.
-- KEYS: {omniq:schemas}:types
-- ARGV:
--   max_bytes: int; of schemas in one reply, about
--   names, any number of times:
--     name: text
-- DERIVED: {omniq:schemas}:type:NAME
-- RETURNS: [row]
--   row: lib/type_row.lua; one per name, in their order. Where max_bytes is reached the rows of the
--     last names are left out, and these are to be asked for again
-- EFFECT: reads only
-- STATE: (none)
-- INVARIANT: reads only; one type at least, so that asking for the rest comes to an end
-- @include type_key version_numbers type_row

local rows, size = {}, 0
for i = 2, #ARGV do
  local row = type_row(KEYS[1], ARGV[i], true)
  rows[#rows + 1] = row
  for n = 6, #row[5], 6 do
    size = size + #row[5][n]
  end
  if size >= tonumber(ARGV[1]) then
    return rows
  end
end
return rows
