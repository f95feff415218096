module example.org/plain

go 1.19
