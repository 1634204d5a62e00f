-- All that is registered of one message type. Without `whole` what may be long is left out: the
-- waivers and the contents are ''.
-- ROW: {name, mode, revision, waivers, [version, writer, reader, role, registered_ms,
--     content]}
--   name: text
--   mode: text; of compatibility, '' = the type is not registered
--   revision: int; of the type, for register_schemas; 0 = the type is not registered
--   waivers: text; JSON, a list of objects, '' = none
--   version: int; oldest first
--   writer: text; fingerprint of what its writers write
--   reader: text; fingerprint of what its readers take
--   role: 'writer'|'reader'; of who has registered the version
--   registered_ms: int; when these schemas were registered
--   content: bytes; JSON, see docs/wire.md
local function type_row(types, name, whole)
  local key = type_key(types, name)
  local v = redis.call('HMGET', key, 'mode', 'revision', 'versions')
  local waivers, rows = whole and redis.call('HMGET', key, 'waivers')[1] or '', {}
  for _, version in ipairs(version_numbers(v[3])) do
    local of = version .. ':'
    local small = redis.call('HMGET', key, of .. 'writer', of .. 'reader', of .. 'role',
      of .. 'registered_ms')
    rows[#rows + 1] = version
    rows[#rows + 1] = small[1] or ''
    rows[#rows + 1] = small[2] or ''
    rows[#rows + 1] = small[3] or 'writer'
    rows[#rows + 1] = small[4] or '0'
    rows[#rows + 1] = whole and redis.call('HMGET', key, of .. 'content')[1] or ''
  end
  return { name, v[1] or '', v[2] or '0', waivers, rows }
end
