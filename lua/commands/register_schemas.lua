-- register_schemas: writes versions, modes and waivers of message types, all or nothing.
-- KEYS: {omniq:schemas}:types
-- ARGV:
--   now_ms: int; 0 = the server's time
--   check: '0'|'1'; 1: answer NOPERM before anything changes where the user's rights fall short
--   count: int
--   types, count times:
--     name: text
--     revision: int; the one on which the caller has decided, 0 = the type was not there
--     mode: text; of compatibility, '' = as it is
--     waivers: text; JSON, a list of objects, '' = as they are
--     version_count: int
--     versions, version_count times:
--       version: int
--       writer: text; fingerprint of what its writers write, 16 hex digits
--       reader: text; fingerprint of what its readers take
--       role: 'writer'|'reader'; of who registers: 'reader' = a consumer, who does not know what is
--         published
--       content: bytes; JSON, see docs/wire.md
--       replace: '0'|'1'; 1: also where a writer has registered the version with another writer
-- DERIVED: {omniq:schemas}:type:NAME
-- RETURNS: {'OK', changed} | {'ERR', 'STALE', name} | {'ERR', 'CONFLICT', name, version}
--   changed: int; types that were changed; 0 = all was as given, whatever the revisions
--   name: text; STALE: the type has another revision by now
--   version: int; CONFLICT: a writer has registered it with another writer
-- EFFECT: writes; repeatable
-- STATE: (none)
-- INVARIANT: two callers who decided on the same revision cannot both change a type; what a writer
--   has registered never becomes a reader's
-- @include now_ms require_commands type_key version_numbers

local denied = ARGV[2] ~= '0' and require_commands(KEYS[1], { 'HMGET', 'HSET', 'ZADD' })
if denied then
  return denied
end
local now, at = now_ms(ARGV[1]), 4

-- The versions of the type at hand that differ from what is stored, and the first that is in
-- conflict with it, or nil.
local function read_versions(key, count)
  local changed, conflict = {}, nil
  for _ = 1, count do
    local record = { version = ARGV[at], writer = ARGV[at + 1], reader = ARGV[at + 2],
      role = ARGV[at + 3], content = ARGV[at + 4] }
    local of = record.version .. ':'
    local v = redis.call('HMGET', key, of .. 'writer', of .. 'reader', of .. 'role')
    local is_firm = v[1] and v[3] ~= 'reader'
    if is_firm then
      record.role = 'writer'
    end
    if v[1] ~= record.writer or v[2] ~= record.reader or (v[3] or 'writer') ~= record.role then
      changed[#changed + 1] = record
    end
    if is_firm and v[1] ~= record.writer and ARGV[at + 5] ~= '1' then
      conflict = conflict or record.version
    end
    at = at + 6
  end
  return changed, conflict
end

-- The changes of the type at hand, or nil where there are none; and the reply that refuses them.
local function read_type()
  local change = { name = ARGV[at], key = type_key(KEYS[1], ARGV[at]), fields = {} }
  local expected, mode, waivers = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local count = tonumber(ARGV[at + 4])
  at = at + 5
  local v = redis.call('HMGET', change.key, 'revision', 'mode', 'waivers', 'versions')
  local conflict
  change.revision, change.listed = v[1] or '0', v[4]
  change.records, conflict = read_versions(change.key, count)
  if mode ~= '' and mode ~= v[2] then
    change.fields = { 'mode', mode }
  end
  if waivers ~= '' and waivers ~= (v[3] or '[]') then
    change.fields[#change.fields + 1] = 'waivers'
    change.fields[#change.fields + 1] = waivers
  end
  if #change.fields == 0 and #change.records == 0 then
    return nil
  elseif change.revision ~= expected then
    return nil, { 'ERR', 'STALE', change.name }
  elseif conflict then
    return nil, { 'ERR', 'CONFLICT', change.name, conflict }
  end
  return change
end

local function write(change)
  local versions, listed = version_numbers(change.listed), {}
  for _, version in ipairs(versions) do
    listed[version] = true
  end
  for _, each in ipairs(change.records) do
    local of = each.version .. ':'
    redis.call('HSET', change.key, of .. 'writer', each.writer, of .. 'reader', each.reader,
      of .. 'role', each.role, of .. 'content', each.content, of .. 'registered_ms', now)
    if not listed[tonumber(each.version)] then
      versions[#versions + 1] = tonumber(each.version)
    end
  end
  table.sort(versions)
  -- Of the clock, so that no revision comes again after the type was forgotten.
  local revision = math.max(tonumber(now), tonumber(change.revision) + 1)
  redis.call('HSET', change.key, 'versions', table.concat(versions, ' '), 'revision',
    string.format('%d', revision), unpack(change.fields))
  redis.call('ZADD', KEYS[1], 0, change.name)
end

local changes = {}
for _ = 1, tonumber(ARGV[3]) do
  local change, refusal = read_type()
  if refusal then
    return refusal
  end
  changes[#changes + 1] = change
end
for _, change in ipairs(changes) do
  write(change)
end
return { 'OK', #changes }
