/** Reading and writing of virtual descriptors. */

import { descriptorRequest, type OnDescriptor } from './descriptor-dispatch.ts';
import { type Descriptor, noteChange } from './descriptors.ts';
import { type Request, Settled } from './driver.ts';
import { ownBytes } from './values.ts';

/** The far side answers at most this much at once; a short read is what read(2) may give at any time. */
const MAX_READ = 4 * 1024 * 1024;

/** read(fd, buffer, offset, length, position) with -1 for the current position. */
export const readOperation: OnDescriptor = (descriptor, args) => {
  const [, buffer, offset, length, position] = args as [
    number,
    NodeJS.ArrayBufferView,
    number,
    number,
    number | bigint | null,
  ];
  return readInto(descriptor, Math.min(length, MAX_READ), position ?? -1, (bytes) => {
    place(bytes, buffer, offset);
    return bytes.length;
  });
};

/** readBuffers(fd, buffers, position). */
export const readBuffersOperation: OnDescriptor = (descriptor, args) => {
  const [, buffers, position] = args as [number, NodeJS.ArrayBufferView[], number | bigint | null];
  const wanted = buffers.reduce((sum, { byteLength }) => sum + byteLength, 0);
  return readInto(descriptor, Math.min(wanted, MAX_READ), position ?? -1, (bytes) => {
    let at = 0;
    for (const buffer of buffers) {
      place(bytes.subarray(at, at + buffer.byteLength), buffer, 0);
      at += buffer.byteLength;
    }
    return bytes.length;
  });
};

function place(bytes: Uint8Array, view: NodeJS.ArrayBufferView, offset: number): void {
  new Uint8Array(view.buffer, view.byteOffset + offset, bytes.length).set(bytes);
}

function readInto(
  descriptor: Descriptor,
  length: number,
  position: number | bigint,
  take: (bytes: Uint8Array) => number,
): Request | Settled {
  const current =
    position === -1 || position === -1n || (typeof position !== 'bigint' && position < 0);
  const ahead = current ? descriptor.readAhead(length) : undefined;
  if (ahead !== undefined) return new Settled(take(ahead));
  const skip = current ? descriptor.takeSkip() : 0;
  return descriptorRequest(
    descriptor,
    'read',
    'read',
    [length, current ? -1 : position, skip],
    take,
  );
}

/** writeBuffer(fd, buffer, offset, length, position). */
export const writeBufferOperation: OnDescriptor = (descriptor, args) => {
  const [, view, offset, length, position] = args as [
    number,
    NodeJS.ArrayBufferView,
    number,
    number,
    number | null,
  ];
  return write(descriptor, ownBytes(view, offset, length), position);
};

/** writeBuffers(fd, buffers, position). */
export const writeBuffersOperation: OnDescriptor = (descriptor, args) => {
  const [, views, position] = args as [number, NodeJS.ArrayBufferView[], number | null];
  return write(
    descriptor,
    Buffer.concat(views.map((view) => ownBytes(view, 0, view.byteLength))),
    position,
  );
};

/** writeString(fd, text, position, encoding). */
export const writeStringOperation: OnDescriptor = (descriptor, args) => {
  const [, text, position, encoding] = args as [
    number,
    string,
    number | null,
    BufferEncoding | undefined,
  ];
  return write(descriptor, Buffer.from(text, encoding), position);
};

function write(
  descriptor: Descriptor,
  bytes: Uint8Array,
  position: number | null | undefined,
): Request {
  noteChange(descriptor.target.connection);
  const at = typeof position === 'number' && position >= 0 ? position : null;
  return descriptorRequest(descriptor, 'write', 'write', [bytes, at]);
}
