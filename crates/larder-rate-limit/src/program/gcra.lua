local charged = tat + charge
local wait = charged - tolerance - now
if wait > 0 then
  if kept > tat then
    put(KEYS[1], num(tat), math.floor((tat - now + 999) / 1000))
  end
  return {0, math.floor((tolerance - (tat - now)) / interval), wait, tat - now, 0}
end

put(KEYS[1], num(charged), math.floor((charged - now + 999) / 1000))
return {1, math.floor((tolerance - (charged - now)) / interval), 0, charged - now, charged}
