-- The time is the last argument: that of the test's clock.
local function now() return tonumber(ARGV[#ARGV]) end
local function num(n) return string.format('%d', n) end
