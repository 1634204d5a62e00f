-- child_ack: a child of a set is done; it counts once, however often it says so.
-- KEYS: {cc:KEY}:count, {cc:KEY}:done, {cc:KEY}:finished
-- ARGV:
--   child_id: text
--   check: '0'|'1'; 1: answer NOPERM before anything changes where the user's rights fall short
--   remember_ms: int; how long the finished set remembers who finished it
-- DERIVED: (none)
-- RETURNS: {'OK', remaining} | {'ERR', code}
--   remaining: int; children still to finish
--   code: 'NO_COUNTER'|'ALREADY_FINISHED'
-- EFFECT: writes; repeatable
-- STATE: (none)
-- INVARIANT: 0 goes to one child only, and to that child again when it asks again: a crash
--   between the acknowledgement and what follows from it loses nothing
-- @include require_commands

-- A child that is noted but not counted would never be counted.
local denied = ARGV[2] ~= '0' and require_commands(KEYS[1], {
  'DECR', 'DEL', 'GET', 'SADD', 'SET', 'SISMEMBER',
})
if denied then
  return denied
end

local left = tonumber(redis.call('GET', KEYS[1]) or '')
if not left then
  local finisher = redis.call('GET', KEYS[3])
  if not finisher then
    return { 'ERR', 'NO_COUNTER' }
  elseif finisher == ARGV[1] then
    return { 'OK', 0 }
  end
  return { 'ERR', 'ALREADY_FINISHED' }
end
if redis.call('SISMEMBER', KEYS[2], ARGV[1]) == 1 then
  return { 'OK', left }
end
if left > 1 then
  redis.call('SADD', KEYS[2], ARGV[1])
  return { 'OK', redis.call('DECR', KEYS[1]) }
end
redis.call('SET', KEYS[3], ARGV[1], 'PX', ARGV[3])
redis.call('DEL', KEYS[1], KEYS[2])
return { 'OK', 0 }
