// Any module that is there: Node's own, packages, files; arguments by name, as the module likes them.
//   node 12-any-module.js URL
import { connect, remoteReflect, uploadModule } from 'elsewhere';

const conn = await connect(process.argv[2] ?? '');
await conn.execute(`
  require('fs').mkdirSync('node_modules/payroll', { recursive: true });
  require('fs').writeFileSync('node_modules/payroll/index.js',
    'exports.getSalary = ({ last, first }) => first.length * 1000 + last.length');
`);
console.log('there:', await remoteReflect.has(conn.modules, 'payroll'));
console.log(
  'salary:',
  await conn.modules['payroll']?.['getSalary']?.({ last: 'Doe', first: 'Jo' }),
);
// The same, blocking.
console.log('blocking:', conn.sync.modules['payroll']?.['getSalary']?.({ last: 'X', first: 'Y' }));
// A package of this side, for the far one.
await uploadModule(conn, 'ws');
console.log('uploaded:', typeof (await conn.import('ws')));
await conn.close();
