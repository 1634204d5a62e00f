-- What a leased job has in common with others, as one of `kinds`, found by the values themselves:
-- its number `nth`, and `attempt` and `until_ms` of the leases. Workers get each kind once.
local function kind_of(kinds, v, now)
  local node = kinds.found
  for i = 9, 18 do
    local below = node[v[i]]
    if not below then
      below = {}
      node[v[i]] = below
    end
    node = below
  end
  if not node.nth then
    node.nth = #kinds.rows + 1
    node.attempt = string.format('%d', (tonumber(v[9] or '0') or 0) + 1)
    node.until_ms = lease_end(now, tonumber(v[12] or '0') or 0)
    kinds.rows[node.nth] = { node.until_ms, node.attempt, v[10] or '1', v[11] or '', v[12] or '',
      v[13] or '', v[14] or '', v[15] or '', v[16] or '', v[17] or '', v[18] or '' }
  end
  return node
end
