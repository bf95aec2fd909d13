-- The first entries after an id, as many as fit, and whether there may be more.
local function page(key, after, last, many)
  local entries, bytes, most = {}, 0, many
  while many > 0 and fit(bytes) > 0 do
    local count = math.min(many, fit(bytes))
    local found = redis.call('XRANGE', key, '(' .. after, last, 'COUNT', count)
    for _, entry in ipairs(found) do
      entries[#entries + 1], after = entry, entry[1]
      bytes = bytes + #(named(entry[2]).event or '')
    end
    many = #found < count and 0 or many - count
  end
  local has_more = #entries > 0 and (#entries == most or fit(bytes) <= 0)
  return entries, has_more and 1 or 0
end
