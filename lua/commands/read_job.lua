-- read_job: everything stored of one job.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV:
--   id: text
-- DERIVED: job:ID
-- RETURNS: [field, value]
--   field: text; none at all when there is no such job
--   value: bytes
-- EFFECT: reads only
-- STATE: (none)
-- INVARIANT: (none)
-- @include queue_keys job_key

return redis.call('HGETALL', job_key(queue_keys(KEYS), ARGV[1]))
