// dclint: what we leave out, and why. Everything else fails `make check`.
module.exports = {
  rules: {
    // Services stand in the order of a press: the stores, the broker, the line, the people, the boards, the simulator.
    'services-alphabetical-order': 0,
    // Keys stand in the order of reading: what runs, with which settings, who reaches it, how much it may take.
    'service-keys-order': 0,
    'service-dependencies-alphabetical-order': 0,
    // What is shared stands above those who share it: YAML wants an anchor before its first use.
    'top-level-properties-order': 0,
    // The interface is PINGAN_LISTEN's, which the rule cannot read; compose-lint looks after the same.
    'no-unbound-port-interfaces': 0,
    // They are quoted; the rule does not see it in the flow style.
    'require-quotes-in-ports': 0,
  },
};
