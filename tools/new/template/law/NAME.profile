# What the law leaves open, bound for our own implementation.

profile wirelaw for NAME.client {
  set patience = 500ms
}

profile wirelaw for NAME.server { }
