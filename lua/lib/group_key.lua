-- One key of a group; `part` is wait, inflight, limit, ordering or held.
local function group_key(q, gid, part)
  return q.base .. ':g:' .. gid .. ':' .. part
end
