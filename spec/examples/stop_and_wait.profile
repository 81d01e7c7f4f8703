profile wirelaw for stop_and_wait.sender {
  set patience = 100ms
}

profile wirelaw for stop_and_wait.receiver {
  set prompt   = 0ms
  set stay_for = 20s
}
