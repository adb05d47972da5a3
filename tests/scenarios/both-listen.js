// Two programs that talk by messages each wait for the first one of the other.
const { fork } = require('child_process');
const fs = require('fs');

function role(name) {
  process.title = name;
  fs.appendFileSync(process.env.SCENARIO_ROLES, `${name} ${process.pid}\n`);
}

if (process.argv[2] !== 'child') {
  role('starter');
  const child = fork(__filename, ['child']);
  child.on('message', () => child.send('go on'));
} else {
  role('worker');
  process.on('message', () => process.send('done'));
}
