// TODO: volume
function mix(a, b) {
  return (a + b) / 2;
}
