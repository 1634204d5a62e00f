-- A group without a token waits for its next one: it stands in groups:held until then, with no job
-- that it waits for.
local function throttle_group(q, gid, bucket, now)
  redis.call('SET', group_key(q, gid, 'held'), '')
  redis.call('ZADD', q.groups_held, next_token_ms(bucket, now), gid)
end
