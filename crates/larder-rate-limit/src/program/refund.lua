
-- ARGV[4]: when what was charged is paid off by itself. A ban stays. banned.lua and peek.lua answer.
local back = math.min(math.max(tonumber(ARGV[4]) - now, 0), charge)
tat = math.max(tat - back, now)
if tat == now or tat < kept then keep() end
