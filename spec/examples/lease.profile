profile wirelaw for lease.server {
  set prompt   = 0ms
  set patience = 2s
}
