"""From a policy to the rules of a firewall; pure. One module, one kind of firewall."""
