-- While a visitor is banned, nothing is charged.
if banned > now then
  local remaining = math.floor((tolerance - (tat - now)) / interval)
  local wait = math.max(banned, tat + charge - tolerance) - now
  return {2, remaining, wait, math.max(tat, banned) - now, banned - now}
end

