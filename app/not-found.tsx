import Link from 'next/link';

export default function NotFound() {
  return (
    <main className="grid min-h-dvh place-content-center gap-3 text-center">
      <h1 className="text-xl font-semibold">There is no such page</h1>
      <Link className="small-button justify-self-center" href="/">
        To the console
      </Link>
    </main>
  );
}
