-- Writes what `take_from_groups` has taken: the slots and tokens of groups, and groups:ready.
-- Groups that stay ready go behind all others in the order of their turns.
local function groups_taken(q, taking, now)
  if #taking.touched == 0 then
    return
  end
  index_remove(q.groups_ready, taking.touched)
  for _, gid in ipairs(taking.touched) do
    local group = taking.groups[gid]
    if group.granted > 0 then
      redis.call('SET', group_key(q, gid, 'inflight'), group.inflight + group.granted)
      if group.bucket then
        write_bucket(group_key(q, gid, 'rate'), group.bucket, now)
      end
    end
  end
  for _, gid in ipairs(taking.throttled) do
    throttle_group(q, gid, taking.groups[gid].bucket, now)
  end
  local ready = {}
  for i = taking.turned_at, #taking.turned do
    ready[#ready + 1] = taking.turned[i]
  end
  if #ready > 0 then
    groups_enter(q, ready, now)
  end
end
