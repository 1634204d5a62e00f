-- One key of a group; `part` is wait, inflight, limit, ordering, held or rate.
local function group_key(q, gid, part)
  return q.base .. ':g:' .. gid .. ':' .. part
end
