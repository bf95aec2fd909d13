-- The time is the last argument: that of a clock of the test's.
local function now() return tonumber(ARGV[#ARGV]) end
local function num(n) return string.format('%d', n) end
