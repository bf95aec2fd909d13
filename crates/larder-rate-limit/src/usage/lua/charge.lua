-- ARGV: cost, what is held: its id, time and units; refusals before a ban, the time in which they count, and
-- how long it lasts.
local a = {}
for i = 1, 7 do a[i] = tonumber(ARGV[arg + i]) end
local cost, hold, reserved = a[1], a[3], a[4]
local waited, full = waits(cost + reserved), 0
if hold > 0 and #holds >= 1000 then full = first - at end
local is_passed = passes(waited, full)
if is_passed then
  for _, it in ipairs(rules) do it.does.charge(it.p, it.v, cost) end
  if hold > 0 then holds[#holds + 1] = {id = ARGV[arg + 2], ends = at + hold, units = reserved} end
  tally()
  keep()
else
  if banned <= at and a[5] > 0 then
    dirty = true
    if refusals == 0 then counted_until = at + a[6] end
    refusals = refusals + 1
    if refusals >= a[5] then banned, counted_until, refusals = at + a[7], 0, 0 end
  end
  if dirty then keep() end
end
return report(is_passed, full, waited, is_passed and at or 0)
