-- ARGV[4]: when what was charged is paid off by itself. peek.lua answers.
local back = math.min(math.max(tonumber(ARGV[4]) - now, 0), charge)
tat = math.max(tat - back, now)

if tat == now then
  del(KEYS[1])
elseif tat < kept then
  put(KEYS[1], num(tat), math.floor((tat - now + 999) / 1000))
end

