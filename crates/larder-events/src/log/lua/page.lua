-- The first entries after an id, as many as fit, and whether there are more.
local function page(key, after, last, many)
  local entries, bytes, has_more = {}, 0, false
  repeat
    local count = math.min(many - #entries, fit(bytes))
    -- One further, which is not returned, shows that there are more.
    local found = redis.call('XRANGE', key, '(' .. after, last, 'COUNT', count + 1)
    has_more = #found > count
    for i = 1, math.min(#found, count) do
      entries[#entries + 1], after = found[i], found[i][1]
      bytes = bytes + #(named(found[i][2]).event or '')
    end
  until not has_more or #entries == many or fit(bytes) <= 0
  return entries, has_more and 1 or 0
end
