local fence, deadline, followed = state()
if fence ~= ARGV[1] or tonumber(deadline) <= now() then return 0 end
release(fence, followed, ARGV[2])
return 1
