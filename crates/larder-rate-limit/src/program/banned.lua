-- While a visitor is banned, nothing is charged, given back or written.
if banned > now then
  local remaining = math.floor((tolerance - (tat - now)) / interval)
  local wait = math.max(banned, tat + charge - tolerance) - now
  return {2, remaining, wait, math.max(tat, banned) - now, banned - now}
end

