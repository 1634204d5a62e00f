-- pause: no job of the queue is leased until it is resumed; running jobs go on.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV: (none)
-- DERIVED: (none)
-- RETURNS: 'OK'
-- EFFECT: writes; repeatable
-- STATE: (none)
-- INVARIANT: pausing twice is pausing once
-- @include queue_keys

redis.call('SET', queue_keys(KEYS).paused, '1')
return 'OK'
