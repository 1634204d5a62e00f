-- What a leased job has in common with others, as one of `kinds`, found by the values themselves:
-- its number `nth`, and `attempt` and `until_ms` of the leases. Workers get a kind once; more often
-- only where many take turns within one group, of which the last few are looked at. `v` is what
-- `read_waiting` has read.
local function kind_of(kinds, v, now)
  local gid = v[10] or ''
  local same_group = kinds.by_gid[gid] or {}
  for i = #same_group, 1, -1 do
    local kind = same_group[i]
    local o = kind.v
    if o[8] == v[8] and o[9] == v[9] and o[11] == v[11] and o[12] == v[12] and o[13] == v[13]
      and o[14] == v[14] and o[15] == v[15] and o[16] == v[16] then
      return kind
    end
  end
  local kind = { v = v, nth = #kinds.rows + 1,
    attempt = string.format('%d', (tonumber(v[8] or '0') or 0) + 1),
    until_ms = lease_end(now, tonumber(v[11] or '0') or 0) }
  kinds.rows[kind.nth] = { kind.until_ms, kind.attempt, v[9] or '1', gid, v[11] or '',
    v[12] or '', v[13] or '', v[14] or '', v[15] or '', v[16] or '' }
  if #same_group == 8 then
    same_group = {}
  end
  same_group[#same_group + 1] = kind
  kinds.by_gid[gid] = same_group
  return kind
end
