-- forget_schemas: deletes versions of a message type; with the last one all that is known of it.
-- KEYS: {omniq:schemas}:types
-- ARGV:
--   now_ms: int; 0 = the server's time
--   check: '0'|'1'; 1: answer NOPERM before anything changes where the user's rights fall short
--   name: text
--   versions, any number of times:
--     version: int; without any, all
-- DERIVED: {omniq:schemas}:type:NAME
-- RETURNS: deleted
--   deleted: int; versions
-- EFFECT: writes; repeatable
-- STATE: (none)
-- INVARIANT: a decision on the type's revision from before is STALE afterwards
-- @include now_ms require_commands type_key version_numbers

local denied = ARGV[2] ~= '0' and require_commands(KEYS[1], {
  'DEL', 'HDEL', 'HMGET', 'HSET', 'ZREM',
})
if denied then
  return denied
end
local now, key = now_ms(ARGV[1]), type_key(KEYS[1], ARGV[3])
local v = redis.call('HMGET', key, 'revision', 'versions')
local unwanted = {}
for i = 4, #ARGV do
  unwanted[tonumber(ARGV[i])] = true
end

local kept, gone = {}, {}
for _, version in ipairs(version_numbers(v[2])) do
  local list = (#ARGV == 3 or unwanted[version]) and gone or kept
  list[#list + 1] = version
end
if #gone == 0 then
  return 0
end
if #kept == 0 then
  redis.call('DEL', key)
  redis.call('ZREM', KEYS[1], ARGV[3])
  return #gone
end
for _, version in ipairs(gone) do
  local of = version .. ':'
  redis.call('HDEL', key, of .. 'writer', of .. 'reader', of .. 'role', of .. 'content',
    of .. 'registered_ms')
end
local revision = math.max(tonumber(now), tonumber(v[1] or '0') + 1)
redis.call('HSET', key, 'versions', table.concat(kept, ' '), 'revision',
  string.format('%d', revision))
return #gone
