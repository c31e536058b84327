// Prints price labels.
function label(pot) {
  // FIXME: euro sign is missing
  return pot.name + " " + pot.price.toFixed(2);
}

module.exports = { label };
