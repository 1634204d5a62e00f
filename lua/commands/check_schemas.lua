-- check_schemas: whether versions of message types are registered with these schemas.
-- KEYS: {omniq:schemas}:types
-- ARGV:
--   schemas, any number of times:
--     name: text; of the message type
--     version: int
--     writer: text; fingerprint of what its writers write, 16 hex digits
--     reader: text; fingerprint of what its readers take
-- DERIVED: {omniq:schemas}:type:NAME
-- RETURNS: [{status, role, mode, revision}]
--   status: 'SAME'|'UNKNOWN'|'OTHER_WRITER'|'OTHER_READER'; one entry per schema, in their order;
--     UNKNOWN: the version is not registered
--   role: 'writer'|'reader'|''; who has registered the version, '' = nobody
--   mode: text; of the type, '' = the type is not registered
--   revision: int; of the type, for register_schemas; 0 = the type is not registered
-- EFFECT: reads only
-- STATE: (none)
-- INVARIANT: reads only; no schema is read, so that the answer costs the same however long they are
-- @include type_key

local results = {}
for i = 1, #ARGV, 4 do
  local of = ARGV[i + 1] .. ':'
  local v = redis.call('HMGET', type_key(KEYS[1], ARGV[i]), 'mode', 'revision', of .. 'writer',
    of .. 'reader', of .. 'role')
  local status, role = 'SAME', v[5] or 'writer'
  if not v[3] then
    status, role = 'UNKNOWN', ''
  elseif v[3] ~= ARGV[i + 2] then
    status = 'OTHER_WRITER'
  elseif v[4] ~= ARGV[i + 3] then
    status = 'OTHER_READER'
  end
  results[#results + 1] = { status, role, v[1] or '', v[2] or '0' }
end
return results
