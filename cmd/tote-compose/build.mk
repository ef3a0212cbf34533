LIBS_tote-compose := $(if $(SAN),-lyaml,-l:libyaml.a)
