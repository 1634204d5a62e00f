-- childs_init: starts the completion counter of a set of child jobs.
-- KEYS: {cc:KEY}:count, {cc:KEY}:done, {cc:KEY}:finished
-- ARGV:
--   expected: int; number of children, at least 1
-- DERIVED: (none)
-- RETURNS: {'OK'} | {'ERR', code}
--   code: 'ALREADY_INIT'|'BAD_EXPECTED'
-- EFFECT: writes; not repeatable
-- STATE: (none)
-- INVARIANT: once per key, for as long as the finished set is remembered

local expected = tonumber(ARGV[1])
if not expected or expected < 1 or expected ~= math.floor(expected) then
  return { 'ERR', 'BAD_EXPECTED' }
end
if redis.call('EXISTS', KEYS[1], KEYS[3]) > 0 then
  return { 'ERR', 'ALREADY_INIT' }
end
redis.call('DEL', KEYS[2])
redis.call('SET', KEYS[1], ARGV[1])
return { 'OK' }
