-- read_job: everything stored of one job.
-- KEYS: the 18 fixed keys of the queue, lib/queue_keys.lua
-- ARGV: id
-- DERIVED: job:ID
-- RETURNS: flat list of field and value; empty when there is no such job
-- STATE: (none)
-- INVARIANT: reads only
-- @include queue_keys job_key

return redis.call('HGETALL', job_key(queue_keys(KEYS), ARGV[1]))
