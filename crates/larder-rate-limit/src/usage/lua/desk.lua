-- ARGV: what is done, and the units or the time that it takes.
local does, by_how_much = ARGV[arg + 1], tonumber(ARGV[arg + 2])
if does == 'set' or does == 'reset' then
  for _, it in ipairs(rules) do it.does.set(it.p, it.v, by_how_much) end
end
if does == 'ban' then
  banned = at + by_how_much
end
if does == 'reset' or does == 'forgive' then
  banned, counted_until, refusals = 0, 0, 0
end
keep()
local waited = waits(1)
return report(passes(waited, 0), 0, waited, 0)
