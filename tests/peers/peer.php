<?php
# What php-fpm runs in the tests of the nginx module; by SCRIPT_NAME, as
# peer.go has it.
header('Content-Type: text/plain');
header('X-Test: yes');
switch ($_SERVER['SCRIPT_NAME']) {
case '/delay':
	usleep(1000 * (int)($_GET['ms'] ?? 0));
	echo "done\n";
	break;
case '/bytes':
	$n = (int)($_GET['n'] ?? 0);
	for ($line = 0; $n > 0; $n -= strlen($piece)) {
		$piece = '';
		while (strlen($piece) < 32768)
			$piece .= sprintf("%07d\n", $line++);
		$piece = substr($piece, 0, $n);
		echo $piece;
	}
	break;
case '/echo':
	$in = fopen('php://input', 'r');
	while (($piece = fread($in, 16384)) != '')
		echo $piece;
	break;
case '/upload':
	$sum = hash_init('sha256');
	$n = 0;
	$in = fopen('php://input', 'r');
	while (($piece = fread($in, 16384)) != '') {
		hash_update($sum, $piece);
		$n += strlen($piece);
	}
	echo hash_final($sum), " $n\n";
	break;
default:
	foreach ($_SERVER as $name => $value)
		if (is_string($value))
			echo "$name=$value\n";
}
