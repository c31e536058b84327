// converts the needle angle to bar
function bar(angle) {
  return angle / 27;
}

module.exports = { bar };
