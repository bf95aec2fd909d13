-- ARGV[4]: what the support desk does; ARGV[5]: the units or the time that it takes. banned.lua and peek.lua
-- answer.
local by = tonumber(ARGV[5])
if ARGV[4] == 'set' then
  tat = now + math.min(by * interval, tolerance)
elseif ARGV[4] == 'reset' then
  tat, banned = now, 0
elseif ARGV[4] == 'ban' then
  banned = now + by
else
  banned = 0
end
keep()
