-- ARGV: fence, hold.
for _, it in ipairs(held) do
  if num(it.fence) == ARGV[1] then
    local ends = at + tonumber(ARGV[2])
    local is_less = ends < it.ends
    it.ends = ends
    keep()
    if is_less then wake() end
    return 1
  end
end
return 0
