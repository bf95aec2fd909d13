-- ARGV: fence.
for i, it in ipairs(held) do
  if num(it.fence) == ARGV[1] then
    table.remove(held, i)
    keep()
    wake()
    return 1
  end
end
return 0
