-- What a leased job has in common with others, as one of `kinds`, found by the values themselves:
-- its number `nth`, and `attempt` and `until_ms` of the leases. Workers get a kind once; more often
-- only where many take turns within one group. `v` is what `read_waiting` has read.
local function kind_of(kinds, v, now)
  local same_group = kinds.by_gid[v[11]]
  if not same_group then
    same_group = {}
    kinds.by_gid[v[11]] = same_group
  end
  for i = #same_group, math.max(#same_group - 7, 1), -1 do
    local kind = same_group[i]
    local o = kind.v
    if o[9] == v[9] and o[10] == v[10] and o[12] == v[12] and o[13] == v[13] and o[14] == v[14]
      and o[15] == v[15] and o[16] == v[16] and o[17] == v[17] and o[18] == v[18] then
      return kind
    end
  end
  local kind = { v = v, nth = #kinds.rows + 1,
    attempt = string.format('%d', (tonumber(v[9] or '0') or 0) + 1),
    until_ms = lease_end(now, tonumber(v[12] or '0') or 0) }
  kinds.rows[kind.nth] = { kind.until_ms, kind.attempt, v[10] or '1', v[11] or '', v[12] or '',
    v[13] or '', v[14] or '', v[15] or '', v[16] or '', v[17] or '', v[18] or '' }
  same_group[#same_group + 1] = kind
  return kind
end
