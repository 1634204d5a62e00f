-- Puts a group into groups:ready, or takes it out, as its keys say. Returns 1 when the group became
-- ready by this call.
local function group_refresh(q, gid, now)
  local inflight, limit, held = group_state(q, gid)
  return group_place(q, gid, inflight, limit, held, now)
end
