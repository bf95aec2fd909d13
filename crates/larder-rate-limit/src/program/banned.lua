-- While a visitor is banned, nothing is charged, given back or written.
if banned > now then
  local remaining = math.floor((tolerance - (tat - now)) / interval)
  return {2, remaining, banned - now, math.max(tat, banned) - now, 0}
end

