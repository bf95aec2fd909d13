-- ARGV: the id of a hold, for how long it is held on (0: it ends), the units to charge, the moment of a charge,
-- and the units of it to give back.
local id, hold = ARGV[arg + 1], tonumber(ARGV[arg + 2])
local actual, moment, back = tonumber(ARGV[arg + 3]), tonumber(ARGV[arg + 4]), tonumber(ARGV[arg + 5])
local was_held = 0
for i = #holds, 1, -1 do
  if holds[i].id == id then
    was_held = 1
    if hold > 0 then holds[i].ends = at + hold else table.remove(holds, i) end
  end
end
for _, it in ipairs(rules) do
  if actual > 0 then it.does.charge(it.p, it.v, actual) end
  if back > 0 then it.does.give_back(it.p, it.v, back, moment) end
end
tally()
keep()
local waited = waits(1)
return report(passes(waited, 0), 0, waited, was_held)
