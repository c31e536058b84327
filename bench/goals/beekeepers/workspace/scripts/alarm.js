// Sends a warning when a hive loses weight quickly.
const LIMIT = 1.5;

// FIXME: read the limit from the settings
function suspicious(before, after) {
  return before - after > LIMIT;
}

function describe(hive) {
  // FIXME: mention the apiary as well
  return "Hive " + hive.code + " may have swarmed";
}

module.exports = { suspicious, describe };
