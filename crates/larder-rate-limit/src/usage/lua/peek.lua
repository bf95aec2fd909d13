-- ARGV: cost, and whether something would be held.
local waited, full = waits(tonumber(ARGV[arg + 1])), 0
if ARGV[arg + 2] == '1' and #holds >= 1000 then full = first - at end
return report(passes(waited, full), full, waited, 0)
