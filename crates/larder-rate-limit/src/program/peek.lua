-- As gcra.lua decides, with nothing charged and nothing written.
local wait = tat + charge - tolerance - now
local remaining = math.floor((tolerance - (tat - now)) / interval)
if wait > 0 then
  return {0, remaining, wait, tat - now, 0}
end
return {1, remaining, 0, tat - now, 0}
